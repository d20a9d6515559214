# What Schemathesis has to know of the service beyond its description.
import itertools
import os

import requests
import schemathesis

BREAKER = "/operator/circuit-breaker"
# The description's example stands for a token that the service issued. One each: whoever signs out first would take
# the other's session along.
EXAMPLE = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
ISSUED = {"/auth/refresh": os.environ["TOKEN_TO_REFRESH"], "/auth/logout": os.environ["TOKEN_TO_LOG_OUT"]}

# What Schemathesis was configured to send, and what goes out in its place: some operations end the session that asks.
CONFIGURED = f"Bearer {os.environ['ACCESS_TOKEN']}"
# The one that the description's examples name.
PASSWORD = "correct horse battery staple"
ENDS_THE_SESSION = {
    ("POST", "/auth/logout-all"),
    ("DELETE", "/auth/sessions/{id}"),
    ("DELETE", "/users/me"),
    ("PUT", "/users/me/password"),
}
numbers = itertools.count(1)
session = {}


def sign_up(url):
    """A new user, whose first session is used from now on."""
    user = {"email": f"schemathesis-{next(numbers)}@mail.example", "password": PASSWORD}
    answer = requests.post(f"{url}/auth/register", json=user, timeout=10)
    answer.raise_for_status()
    session["authorization"] = f"Bearer {answer.json()['access_token']}"
    listed = requests.get(f"{url}/auth/sessions", headers={"Authorization": session["authorization"]}, timeout=10)
    session["id"] = listed.json()["sessions"][0]["id"]


def uncommon(body):
    """One character repeated is a common password, which no schema can say: another text of the same length."""
    for member in ("password", "new_password"):
        text = body.get(member)
        if isinstance(text, str) and 8 <= len(text) <= 128 and len(set(text)) == 1:
            body[member] = ("k9!wq-Zx7_" * 13)[: len(text)]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Where an example is sent, something that exists takes its place."""
    if isinstance(case.body, dict):
        uncommon(case.body)
    if case.path in ISSUED and case.body == {"refresh_token": EXAMPLE}:
        case.body = {"refresh_token": ISSUED[case.path]}
    if (case.headers or {}).get("Authorization") == CONFIGURED:
        if not session:
            sign_up(case.operation.base_url)
        case.headers["Authorization"] = session["authorization"]
        if case.path == "/auth/sessions/{id}" and case.path_parameters.get("id") == 4503599627370496:
            case.path_parameters["id"] = session["id"]


@schemathesis.hook
def after_call(context, case, response):
    """What was ended or forced is put right, or it would decide what comes next."""
    if (case.method, case.path) in ENDS_THE_SESSION and response.status_code < 300:
        session.clear()
    if case.method == "POST" and case.path == BREAKER and response.status_code == 200:
        headers = {"Authorization": response.request.headers["Authorization"]}
        requests.post(response.request.url, json={"state": "automatic"}, headers=headers, timeout=10).raise_for_status()
