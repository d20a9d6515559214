# Knowledge about the service beyond its description, for Schemathesis.
import base64
import json
import os
import re
import unicodedata

import requests
import schemathesis
from schemathesis_world import ADMIN_GRANT, ADMIN_ID, RETURN_URL, SERVICE_ID, World, sign_up

BREAKER = "/operator/circuit-breaker"
SIGNING_KEYS = "/operator/signing-keys"
IMPORT = "/admin/users/import"
# The description's example stands for a token that the service issued. One each: a sign-out ends the session of
# its token, and must not end the other's.
EXAMPLE = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
# The description's examples of proofs stand for proofs that the service has.
EXAMPLE_VERIFICATION = {
    "token": "4711.89abcdef0123456789abcdef01234567",
    "password": "correct horse battery staple",
}
EXAMPLE_CODE = {"flow": "4711.0123456789abcdef0123456789abcdef", "code": "01234567"}
EXAMPLE_LINK = {"token": "4713.89abcdef0123456789abcdef01234567"}
NOTICES = {"/auth/email/undo": "undo", "/auth/email/not-me": "not-me"}
EXAMPLE_RESET = {
    "flow": "4711.0123456789abcdef0123456789abcdef",
    "code": "01234567",
    "new_password": "staple battery horse correct",
}
# Of a flow with a provider, each body by its second member.
FEDERATED = "/auth/federated/"
EXAMPLE_FLOW = "AgAAAaIFD_qfAAAAAAAAEmd18S-BaWuWeCGm4aP7eF8v"
EXAMPLE_JOIN = "AwAAAaIFD_qfAAAAAAAAEmd18S-BaWuWeCGm4aP7eF8v"
EXAMPLE_STATE = "AQAAAaIFD_qfAAAAAAAAEmd18S-BaWuWeCGm4aP7eF8v"
EXAMPLE_INVITATION = {"token": "16887.5f0c9a7e5d1b4c2f8a6e0d9b7c5a3e1f"}
ISSUED = {"/auth/refresh": os.environ["TOKEN_TO_REFRESH"], "/auth/logout": os.environ["TOKEN_TO_LOG_OUT"]}
# The configured token of Schemathesis. The current session's token is sent in its place, because some operations
# end the session of the caller.
CONFIGURED = f"Bearer {os.environ['ACCESS_TOKEN']}"
ENDS_THE_SESSION = {
    ("POST", "/auth/logout-all"),
    ("DELETE", "/auth/sessions/{id}"),
    ("DELETE", "/users/me"),
    ("POST", "/users/me/delete"),
    ("PUT", "/users/me/password"),
}
# The ids in the description's examples, and the kinds of their replacements.
NAMED = {
    "/universities/{id}": {
        "id": (3, "university"),
        "department_id": (5, "department"),
        "grant_id": (21, "grant"),
        "invitation_id": (16887, "invitation"),
    },
    "/courses/{id}": {"id": (8, "course")},
    "/enrollments/{id}": {"id": (34, "enrollment")},
    "/admin/users/{id}": {"id": (1, "user")},
    "/admin/service-accounts/{id}": {"id": (16809984000002, "service"), "key_id": (16809984000001, "service_key")},
}
OPERATOR = {"Authorization": f"Bearer {os.environ['OPERATOR_KEY']}"}
world = World()


def put_uncommon(body):
    """Rules for a password that no schema has: a repeated character is common, and NFKC comes before the length."""
    for member in ("password", "new_password"):
        text = body.get(member)
        if not isinstance(text, str):
            continue
        if 8 <= len(text) <= 128 and len(set(text)) == 1:
            body[member] = ("k9!wq-Zx7_" * 13)[: len(text)]
        elif len(text) < 8 <= len(unicodedata.normalize("NFKC", text)):
            body[member] = "k9!wq"


# Joiners and variation selectors need fitting neighbours, and most of the ignorable characters beyond the basic plane
# are refused. A pattern for both would be unreadable.
IN_CONTEXT = re.compile("[\u180b-\u180f\u200c\u200d\ufe00-\ufe0f\U0001bca0-\U0001bca3\U0001d159-\U0001d17a\U000e0000-\U000e0fff]")


def put_plain_names(body):
    """Rules for names that the description states in words."""
    for member in ("full_name", "name", "title", "code"):
        if isinstance(body.get(member), str):
            body[member] = IN_CONTEXT.sub("x", body[member])


def plain_address(text):
    """A domain that is not ASCII must have an ASCII form; no pattern says which have one."""
    local, at, domain = text.rpartition("@")
    return local + at + re.sub("[^\x00-\x7f]", "x", re.sub("(?i)xn--", "xn-", domain))


def put_plain_address(values):
    for member in ("email", "new_email"):
        if isinstance(values, dict) and isinstance(values.get(member), str):
            values[member] = plain_address(values[member])


def put_future(body):
    """The end of a key is in the future, which no schema can say."""
    if re.match("[01]|20[01]|202[0-6]", str(body.get("expires_at") or "")):
        body["expires_at"] = "2100" + body["expires_at"][4:]


def canonical(text):
    """A pattern cannot say that the last character of base64url has no bits to spare."""
    if not isinstance(text, str) or not re.fullmatch("[A-Za-z0-9_-]+", text):
        return text
    whole = (text[:-1] or "AA") if len(text) % 4 == 1 else text
    decoded = base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
    return base64.urlsafe_b64encode(decoded).decode().rstrip("=")


def put_canonical_credential(body):
    """The members of a credential are bytes in base64url."""
    for member in ("passkey", "credential"):
        credential = body.get(member)
        if isinstance(credential, dict):
            for values in (credential, credential.get("response")):
                if isinstance(values, dict):
                    values.update({name: canonical(value) for name, value in values.items() if name != "type"})


def put_whole_proof(case):
    """Members that belong together, and one that most accounts need, which the description says in words."""
    body = case.body
    if case.path in ("/users/me/mfa/totp", "/users/me/passkeys/options", "/users/me/factors/confirm"):
        proof = [body.get("flow"), body.get("code")]
        if None in proof and all(value is None or isinstance(value, str) for value in proof):
            body.pop("flow", None)
            body.pop("code", None)
    if case.path == "/users/me/password" and body.get("current_password") is None and "new_password" in body:
        body["current_password"] = "not the present one"


def put_no_invitation(body):
    """A made-up invitation is 401, and then no user would be there to sign in."""
    if isinstance(body.get("invitation"), str):
        body["invitation"] = None


def put_plain_form(case):
    """Rules of OAuth: no parameter twice, one way of authentication, and scopes of the account."""
    for name, value in case.body.items():
        if not isinstance(value, str):
            case.body[name] = str(value)
    if case.path == "/oauth/token" and case.body.get("grant_type") == "client_credentials":
        if isinstance(case.body.get("scope"), str):
            case.body["scope"] = "introspect"
        if "Authorization" in (case.headers or {}):
            case.body.pop("client_id", None)
            case.body.pop("client_secret", None)


def put_next_key(case, url):
    """The key that is revoked is the next one: the session's token must stay valid."""
    if isinstance(case.body, dict) and re.fullmatch("[0-9a-f]{32}", str(case.body.get("kid"))):
        answer = requests.get(f"{url}{SIGNING_KEYS}", headers=OPERATOR, timeout=10)
        known = [key["kid"] for key in answer.json()["keys"] if key["state"] == "next"]
        case.body["kid"] = known[0] if known else case.body["kid"]


def put_what_exists(case, url):
    """Replaces an example in the request by an existing resource."""
    if (case.method, case.path) == ("DELETE", "/universities/{id}") and case.path_parameters.get("id") == 3:
        case.path_parameters["id"] = world.empty_university(url)
    for prefix, names in NAMED.items():
        for name, (example, thing) in names.items():
            if case.path.startswith(prefix) and (case.path_parameters or {}).get(name) == example:
                case.path_parameters[name] = world.of(url)[thing]
    if case.path == "/users/me/api-keys/{key_id}" and case.path_parameters.get("key_id") == 16809984000001:
        case.path_parameters["key_id"] = world.api_key(url)
    if case.path == "/auth/sessions/{id}" and case.path_parameters.get("id") == 4503599627370496:
        case.path_parameters["id"] = world.current(url)["id"]
    if case.path in ISSUED and case.body == {"refresh_token": EXAMPLE}:
        case.body = {"refresh_token": ISSUED[case.path]}
    if case.path == "/auth/email/verify" and case.body == EXAMPLE_VERIFICATION:
        case.body = world.verification(url)
    if case.path == "/auth/email/sign-in" and case.body == EXAMPLE_CODE:
        case.body = world.sign_in_code(url)
    if case.path in NOTICES and case.body == EXAMPLE_LINK:
        case.body = world.notice(url, NOTICES[case.path])
    if case.path == "/auth/password/reset" and case.body == EXAMPLE_RESET:
        case.body = {"token": world.reset_token(url), "new_password": EXAMPLE_RESET["new_password"]}
    if case.path == "/invitations/accept" and case.body == EXAMPLE_INVITATION:
        case.body = {"token": world.invitation_token(url)}
    if case.path == "/users/me/identities/{identity_id}" and case.path_parameters.get("identity_id") == 16809984000006:
        case.path_parameters["identity_id"] = world.identity(url)
    if case.path.startswith(FEDERATED):
        put_flow(case, url)
    if isinstance(case.body, dict) and isinstance(case.body.get("department_id"), (int, float)):
        if case.path != "/authz/check":
            put_department(case, url)
    if case.path.endswith("/roles") and isinstance(case.body, dict):
        put_fitting(case.body)
    if case.path.endswith("/roles") and isinstance(case.body, dict):
        put_user(case.body, world.current(url)["user"])


def put_flow(case, url):
    """Replaces the example of a flow by one that is on its way."""
    if case.path.endswith("/callback"):
        if (case.query or {}).get("state") == EXAMPLE_STATE:
            case.query = world.arrival(url)[1]
    elif case.path == "/auth/federated/{id}" and isinstance(case.body, dict):
        # No schema has the list of the settings, and the purposes exclude each other.
        if isinstance(case.body.get("return_url"), str):
            case.body["return_url"] = RETURN_URL
        if case.body.get("link") is True and case.body.get("step_up") is True:
            case.body["step_up"] = None
    elif isinstance(case.body, dict) and case.body.get("flow") == EXAMPLE_FLOW:
        case.body = world.returned(url) if "code" in case.body else world.id_token(url)
    elif isinstance(case.body, dict) and case.body.get("flow") == EXAMPLE_JOIN:
        case.body = world.joining(url)


def put_user(body, user):
    """A user who does not exist is 404, which Schemathesis takes for a university that is missing after its creation."""
    if "role" in body and "user_id" in body and isinstance(body["user_id"], (int, float)):
        body.pop("email", None)
        body["user_id"] = user


def put_fitting(body):
    """Some roles require a department and some forbid it; the description says so only in words."""
    if body.get("role") == "DEPARTMENT_ADMIN" and body.get("department_id") is None:
        body["role"] = "TA"
    if body.get("role") in ("UNIVERSITY_ADMIN", "PLATFORM_ADMIN"):
        body.pop("department_id", None)


def put_department(case, url):
    """No schema can say which departments a university has: this keeps the existing one, or removes the member."""
    things = world.of(url)
    named = things["university" if case.path.startswith("/universities") else "course"]
    if str(case.path_parameters.get("id")) == str(named):
        case.body["department_id"] = things["department"]
    else:
        del case.body["department_id"]
        if case.body.get("role") == "DEPARTMENT_ADMIN":
            case.body["role"] = "TA"


def put_grant(case, url):
    """Keeps the first administrator, and replaces an invitation: the operation that grants a role may invite instead, and
    Schemathesis takes the id in either of its answers for that of a role."""
    named = str(case.path_parameters.get("grant_id"))
    if named == ADMIN_GRANT:
        case.path_parameters["grant_id"] = world.of(url)["grant"]
    elif named in world.invitations:
        user, _ = sign_up(url)
        case.path_parameters["grant_id"] = world.grant(url, user, "STUDENT", case.path_parameters["id"]) or named


@schemathesis.serializer("application/x-ndjson")
def serialize_lines(context, value):
    """Lines are sent as they are."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Replaces made-up values by existing ones."""
    url = case.operation.base_url
    put_plain_address(case.body)
    put_plain_address(case.query)
    if isinstance(case.body, dict):
        put_uncommon(case.body)
        put_plain_names(case.body)
        put_future(case.body)
        put_no_invitation(case.body)
        put_canonical_credential(case.body)
        put_whole_proof(case)
    if isinstance(case.body, dict) and case.path.startswith("/oauth/"):
        put_plain_form(case)
    if case.path == SIGNING_KEYS:
        put_next_key(case, url)
    if case.path == IMPORT and not isinstance(case.body, str):
        # Every text is a body of lines. Another value can only be sent as a body of another kind.
        case.headers["Content-Type"] = "application/json"
    if case.path.startswith("/admin/service-accounts/{id}") and case.method != "GET":
        # The requests to OAuth's operations come from this account.
        if str(case.path_parameters.get("id")) == str(SERVICE_ID):
            case.path_parameters["id"] = world.of(url)["service"]
    put_what_exists(case, url)
    if (case.headers or {}).get("Authorization") != CONFIGURED:
        return
    session = world.current(url)
    case.headers["Authorization"] = session["headers"]["Authorization"]
    if case.path.endswith("/api-keys/{key_id}") and case.path.startswith("/users/me/"):
        # An earlier administrator's key is 404 for the present one.
        if world.key_owners.get(str(case.path_parameters.get("key_id")), session["user"]) != session["user"]:
            case.path_parameters["key_id"] = world.api_key(url)
    if case.path == "/auth/step-up/email-code":
        # It is for accounts without a password.
        case.headers["Authorization"] = world.without_password(url)
    if case.path == "/users/me/mfa/totp/confirm":
        # No schema has the code of the moment. Without an app that waits for one, every code is 409.
        requests.delete(f"{url}/users/me/mfa/totp", headers=session["headers"], timeout=10)
    if case.method != "GET" and case.path.startswith("/admin/users/{id}"):
        # No request may disable or delete the administrators that this run depends on.
        if str(case.path_parameters.get("id")) in (str(ADMIN_ID), str(session["user"])):
            case.path_parameters["id"] = world.of(url)["user"]
    if case.path.endswith("/{grant_id}"):
        put_grant(case, url)
    if case.method == "POST" and case.path == "/courses/{id}/enrollments":
        world.enable_to_enroll(url, case.path_parameters.get("id"))


@schemathesis.hook
def after_call(context, case, response):
    """Restores ended, deleted or forced state, which would otherwise decide the next answers."""
    if response.status_code == 202 and case.path == "/universities/{id}/roles":
        world.invitations.add(str(response.json()["invitation"]["id"]))
    if response.status_code == 201 and case.path == "/users/me/api-keys":
        world.key_owners[str(response.json()["id"])] = world.session.get("user")
    if response.status_code < 300:
        if (case.method, case.path) in ENDS_THE_SESSION or case.path.endswith("/{grant_id}"):
            world.session = {}
        elif case.method == "DELETE" or case.path.startswith("/admin/users/{id}"):
            world.forget()
    if case.method == "POST" and case.path == BREAKER and response.status_code == 200:
        headers = {"Authorization": response.request.headers["Authorization"]}
        requests.post(response.request.url, json={"state": "automatic"}, headers=headers, timeout=10).raise_for_status()
