"""Signals that a site can listen to. Each is sent after the change that it names has been committed."""

from __future__ import annotations

from django.dispatch import Signal

event_recorded = Signal()
"""Sent when an event entered the outbox and is finished (docs/backfill.md). `sender`: OutboxEvent; `event`: its row;
`using`: the database alias."""

batch_attempted = Signal()
"""Sent after each POST, with or without an answer. `sender`: Attempt; `attempt`: its row; `using`: the database
alias."""

pixel_stopped = Signal()
"""Sent when a pixel stops: TikTok refused its token or permission, or it has no token. `sender`: PixelStatus; `pixel`:
its row; `using`: the database alias."""

pixel_resumed = Signal()
"""Sent when a stopped pixel may send again. `sender`: PixelStatus; `pixel`: its row; `using`: the database alias."""

alert_opened = Signal()
"""Sent once when an alert begins: a pixel is stopped, TikTok does not answer, events wait too long, or too many fail.
`sender`: Alert; `alert`: its row, with `pixel_code`, `alert_kind` and `figure`; `using`: the database alias."""

alert_closed = Signal()
"""Sent when an alert has ended. `sender`: Alert; `alert`: its row; `using`: the database alias."""
