# SPDX-License-Identifier: ISC
"""Generates usage sessions by rules and imports them."""

import json
import random
import secrets
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from parlour import SLOW, wait_for


def midnight():
    """Returns the start of today. It is computed for each call, because a run of the suite may continue after
    midnight."""
    return datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)


def avoid_midnight(zone="UTC"):
    """Waits for the next day if less than 20 s of this day are left."""
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
    """Creates an account with this access level and logs it in again."""
    user = api.register()
    rows(f"UPDATE users SET access = '{access}' WHERE id = {user.id}")
    return api.login(user.name, user.password)


def send(user, records, **query):
    """Imports in bodies of at most 1 MiB and returns the sums of the replies."""
    done = {"imported": 0, "duplicates": 0, "refused": []}
    for at in range(0, len(records), 3000):
        answer = user.request("POST", "/api/sessions/import", params=query, content=lines(records[at:at + 3000]),
                              headers={"Content-Type": "application/x-ndjson"})
        assert answer.status_code == 200, answer.text
        for key, value in answer.json().items():
            done[key] += value
    return done


def settled(user, path, condition):
    """Returns the answer when it includes the newest rows (each worker caches answers for 3 s)."""
    return wait_for(lambda: (a := user.get(path).json()) and condition(a) and a, 12, path)


def noise(seed):
    return random.Random(seed)


def unique():
    """Returns a name that the grammar does not read as a number; hexadecimal digits alone may be decimal digits or read
    12e34567."""
    return "z" + secrets.token_hex(4)
