"""Signals that a site can listen to; every one is sent after the fact it names has been committed."""

from __future__ import annotations

from django.dispatch import Signal

event_recorded = Signal()
"""An event entered the outbox and is finished (docs/backfill.md). `sender`: OutboxEvent; `event`: the row; `using`:
the database alias."""

batch_attempted = Signal()
"""A POST came to an end. `sender`: Attempt; `attempt`: its row; `using`: the database alias."""

pixel_stopped = Signal()
"""TikTok refused a pixel's token or permission. `sender`: PixelStatus; `pixel`: its row; `using`: alias."""

pixel_resumed = Signal()
"""A stopped pixel may send again. `sender`: PixelStatus; `pixel`: its row; `using`: alias."""

alert_opened = Signal()
"""A pixel stopped, TikTok stays away, events wait too long, or too many fail; once for each time. `sender`: Alert;
`alert`: its row, with `pixel_code`, `alert_kind` and `figure`; `using`: alias."""

alert_closed = Signal()
"""The same is well again. `sender`: Alert; `alert`: its row; `using`: alias."""
