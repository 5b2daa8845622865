from __future__ import annotations

from django.test import Client

from tests.admin.attribution_samples import fill_attribution

PAGE = "/admin/tiktok_attribution/attributionreport/"


def test_it(boss: Client) -> None:
    assert boss.get(PAGE).status_code == 200
    fill_attribution()
    for q in ("", "?windows=1", "?by=placement", "?by=adgroup&campaign=1700000000000001"):
        r = boss.get(PAGE + q)
        assert r.status_code == 200
    print(boss.get(PAGE + "export/").content.decode()[:3000])
    print(boss.get(PAGE + "link/?address=https://a.example/").content.decode()[-1500:])
