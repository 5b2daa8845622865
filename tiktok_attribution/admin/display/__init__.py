"""How things are said and shown, on whatever page: words, tones, badges, cells, moments, spreadsheets."""
