// The page is out of a shared cache, so no server has seen this visit: the browser tells of it, to both.
window.ttqTrack?.("ViewContent");
