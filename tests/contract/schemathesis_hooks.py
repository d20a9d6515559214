# What Schemathesis has to know of the service beyond its description.
import os

import requests
import schemathesis

BREAKER = "/operator/circuit-breaker"
# The description's example stands for a token that the service issued. One each: whoever signs out first would take
# the other's session along.
EXAMPLE = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
ISSUED = {"/auth/refresh": os.environ["TOKEN_TO_REFRESH"], "/auth/logout": os.environ["TOKEN_TO_LOG_OUT"]}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Where the example is sent, a token that was issued takes its place."""
    if case.path in ISSUED and case.body == {"refresh_token": EXAMPLE}:
        case.body = {"refresh_token": ISSUED[case.path]}


@schemathesis.hook
def after_call(context, case, response):
    """A breaker that was forced open would refuse what comes next: it decides by itself again."""
    if case.method == "POST" and case.path == BREAKER and response.status_code == 200:
        headers = {"Authorization": response.request.headers["Authorization"]}
        requests.post(response.request.url, json={"state": "automatic"}, headers=headers, timeout=10).raise_for_status()
