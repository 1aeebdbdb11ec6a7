# SPDX-License-Identifier: ISC
"""Usage sessions to import, made by rule, and their import."""

import json
import random
import secrets
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from parlour import SLOW, wait_for


def midnight():
    """The start of today, asked for each time: a run of the suite may last beyond midnight."""
    return datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


def avoid_midnight(zone="UTC"):
    """Waits for the next day if less than 20 s of this one are left there."""
    def soon():
        now = datetime.now(ZoneInfo(zone))
        return (now + timedelta(seconds=20 * SLOW)).date() != now.date()

    wait_for(lambda: not soon(), 25, "a new day")


def day(back, hour=0):
    return midnight() - timedelta(days=back) + timedelta(hours=hour)


def session(number, at, **fields):
    return {"session_id": f"sess-{number}", "developer_id": f"dev-{number % 7}", "model": ("sonnet", "mini")[number % 2],
            "timestamp": at.isoformat(), "total_tokens": 1000 + number % 100, "cost_usd": 0.25, **fields}


def lines(records):
    return "\n".join(json.dumps(r) for r in records)


def analyst(api, rows, access="analyst"):
    """An account with this access, logged in after it got it."""
    user = api.register()
    rows(f"UPDATE users SET access = '{access}' WHERE id = {user.id}")
    return api.login(user.name, user.password)


def send(user, records, **query):
    """Imports in bodies of at most 1 MiB; the sums of the answers."""
    done = {"imported": 0, "duplicates": 0, "refused": []}
    for at in range(0, len(records), 3000):
        answer = user.request("POST", "/api/sessions/import", params=query, content=lines(records[at:at + 3000]),
                              headers={"Content-Type": "application/x-ndjson"})
        assert answer.status_code == 200, answer.text
        for key, value in answer.json().items():
            done[key] += value
    return done


def settled(user, path, condition):
    """The answer once it is computed from the newest rows (every worker keeps answers for 3 s)."""
    return wait_for(lambda: (a := user.get(path).json()) and condition(a) and a, 12, path)


def noise(seed):
    return random.Random(seed)


def unique():
    """A name that no grammar takes for a number: hexadecimal digits alone can be decimal ones only, or read 12e34567."""
    return "z" + secrets.token_hex(4)
