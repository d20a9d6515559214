# The resources during a run of Schemathesis: users and parts of a university, made through the API by an administrator
# that no request affects. Deleted resources are made again on demand.
import itertools
import os
import re
from urllib.parse import parse_qsl, urlsplit

import requests

# The password in the description's examples.
PASSWORD = "correct horse battery staple"
ADMIN = {"Authorization": f"Bearer {os.environ['ADMIN_TOKEN']}"}
ADMIN_ID = int(os.environ["ADMIN_ID"])
# The service account of the requests to OAuth's operations.
SERVICE_ID = int(os.environ["SERVICE_ID"])
# The first grant of all.
ADMIN_GRANT = "1"
# The provider of identities, the client of the service there, and the page that gets the results.
ISSUER = os.environ["ISSUER"]
AT_PROVIDER = os.environ["AT_PROVIDER"]
RETURN_URL = os.environ["RETURN_URL"]
numbers = itertools.count(1)


def call(method, url, body=None, headers=ADMIN):
    """One request that has to succeed."""
    answer = requests.request(method, url, json=body, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json()


def sign_up(url):
    """A new user, with the headers of its first session."""
    user = {"email": f"schemathesis-{next(numbers)}@mail.example", "password": PASSWORD}
    body = call("POST", f"{url}/auth/register", user, headers={})
    return body["id"], {"Authorization": f"Bearer {body['access_token']}"}


def mailed(url, address, pattern):
    """The text of a mail to this address that matches, once it was sent behind the response."""
    while True:
        texts = [mail["text"] for mail in call("GET", f"{url}/__mails", headers={}) if mail["to"] == address]
        found = [match[1] for match in (re.search(pattern, text, re.MULTILINE) for text in texts) if match]
        if found:
            return found[0]


def authorized(authorize_url):
    """The parameters with which the provider sends a browser back."""
    answer = requests.get(authorize_url, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query)) | {"iss": ISSUER}


class World:
    """One of everything that a path can name, and the administrator that sends the requests."""

    def __init__(self):
        self.things = {}
        self.session = {}
        # What requests of the run have made: the ids of invitations, and of keys with their users.
        self.invitations = set()
        self.key_owners = {}

    def current(self, url):
        """The session of the requests: an administrator's."""
        if not self.session:
            user, headers = sign_up(url)
            self.grant(url, user, "PLATFORM_ADMIN")
            listed = call("GET", f"{url}/auth/sessions", headers=headers)
            self.session = {"user": user, "headers": headers, "id": listed["sessions"][0]["id"]}
        return self.session

    def of(self, url):
        """The resources, made on first use."""
        if not self.things:
            number = next(numbers)
            university = call("POST", f"{url}/universities", {"name": "Contract", "slug": f"contract-{number}"})["id"]
            base = f"{url}/universities/{university}"
            # Before any request needs a university to grant roles in.
            self.things = {"university": university}
            department = call("POST", f"{base}/departments", {"name": "Department"})["id"]
            course = call("POST", f"{base}/courses", {"title": "Course", "code": "C1", "is_public": True})["id"]
            student, headers = sign_up(url)
            grant = self.grant(url, student, "STUDENT")
            invitation = self.invite(url, f"schemathesis-invited-{number}@mail.example")
            enrollment = call("POST", f"{url}/courses/{course}/enrollments", headers=headers)["id"]
            self.things |= {"department": department, "course": course, "user": student}
            self.things |= {"grant": grant, "enrollment": enrollment, "invitation": invitation}
            account = {"name": f"Contract {number}", "scopes": ["introspect"]}
            service = call("POST", f"{url}/admin/service-accounts", account)
            keys = call("GET", f"{url}/admin/service-accounts/{service['id']}/keys")
            self.things |= {"service": service["id"], "service_key": keys["items"][0]["id"]}
        return self.things

    def empty_university(self, url):
        """A new university that can be deleted."""
        return call("POST", f"{url}/universities", {"name": "Empty", "slug": f"empty-{next(numbers)}"})["id"]

    def api_key(self, url):
        """A new key of the session's user."""
        key = {"name": "Contract", "permissions": ["universities:view"]}
        return call("POST", f"{url}/users/me/api-keys", key, self.current(url)["headers"])["id"]

    def reset_token(self, url):
        """A link to a new password, which an administrator hands over."""
        user, _ = sign_up(url)
        return call("POST", f"{url}/admin/users/{user}/password-reset")["token"]

    def invite(self, url, address):
        """Invites an address without a role in the university: its administrator, unlike the platform's, grants none at once."""
        user, headers = sign_up(url)
        self.grant(url, user, "UNIVERSITY_ADMIN")
        path = f"{url}/universities/{self.of(url)['university']}/roles"
        return call("POST", path, {"email": address, "role": "INSTRUCTOR"}, headers)["invitation"]["id"]

    def invitation_token(self, url):
        """An invitation for the sender of the requests: another one, since the acceptance verifies its address."""
        self.session = {}
        address = call("GET", f"{url}/users/me", headers=self.current(url)["headers"])["email"]
        self.invite(url, address)
        return mailed(url, address, "/invite#token=([0-9a-f.]+)")

    def verification(self, url):
        """The flow of a registration, and the code of its mail, which is sent behind the response."""
        number = next(numbers)
        user = {"email": f"schemathesis-{number}@mail.example", "password": PASSWORD}
        # One network may cause only so many mails.
        network = {"CF-Connecting-IP": f"198.51.{number // 250}.{number % 250 + 1}"}
        flow = call("POST", f"{url}/auth/register", user, network)["flow"]
        return {"flow": flow, "code": mailed(url, user["email"], "^([0-9]{8})$")}

    def sign_in_code(self, url):
        """The flow and the code of a mail that was asked for by a new user."""
        number = next(numbers)
        user = {"email": f"schemathesis-{number}@mail.example", "password": PASSWORD}
        network = {"CF-Connecting-IP": f"198.51.{number // 250}.{number % 250 + 1}"}
        call("POST", f"{url}/auth/register", user, network)
        flow = call("POST", f"{url}/auth/email/code", {"email": user["email"]}, network)["flow"]
        while True:
            mails = [mail for mail in call("GET", f"{url}/__mails", headers={}) if mail["to"] == user["email"]]
            codes = [mail["text"] for mail in mails if "sign-in" in mail["subject"]]
            if codes:
                return {"flow": flow, "code": re.search("^[0-9]{8}$", codes[0], re.MULTILINE)[0]}

    def notice(self, url, page):
        """The token in the notice of a changed password or address, to an address that is proven."""
        proof = self.verification(url)
        email = call("POST", f"{url}/auth/email/verify", proof, headers={})["email"]
        user = {"email": email, "password": PASSWORD}
        headers = {"Authorization": f"Bearer {call('POST', f'{url}/auth/login', user, headers={})['access_token']}"}
        if page == "undo":
            number = next(numbers)
            headers["CF-Connecting-IP"] = f"198.51.{number // 250}.{number % 250 + 1}"
            moved = f"schemathesis-{number}@mail.example"
            flow = call("PUT", f"{url}/users/me/email", {"new_email": moved}, headers)["flow"]
            change = {"flow": flow, "code": mailed(url, moved, "^([0-9]{8})$")}
            call("POST", f"{url}/auth/email/verify", change, headers={})
        else:
            change = {"current_password": PASSWORD, "new_password": "staple battery horse correct"}
            call("PUT", f"{url}/users/me/password", change, headers)
        return {"token": mailed(url, email, f"/{page}#token=(.*)$")}

    def arrival(self, url, body=None, headers=None):
        """The flow of a start, and the parameters of its callback. The provider has a new person for each visit."""
        start = {"return_url": RETURN_URL} | (body or {})
        begun = call("POST", f"{url}/auth/federated/google", start, headers or {})
        return begun["flow"], authorized(begun["authorize_url"])

    def returned(self, url, body=None, headers=None):
        """The flow of a start, and the code of its return."""
        flow, query = self.arrival(url, body, headers)
        callback = f"{url}/auth/federated/google/callback"
        answer = requests.get(callback, params=query, allow_redirects=False, timeout=10)
        return {"flow": flow} | dict(parse_qsl(urlsplit(answer.headers["Location"]).fragment))

    def without_password(self, url):
        """The credential of an account that the provider has made."""
        body = call("POST", f"{url}/auth/federated/exchange", self.returned(url), headers={})
        return f"Bearer {body['access_token']}"

    def joining(self, url):
        """The flow and the code of the mail to an address that has an account."""
        number = next(numbers)
        user = {"email": f"schemathesis-{number}@mail.example", "password": PASSWORD}
        network = {"CF-Connecting-IP": f"198.51.{number // 250}.{number % 250 + 1}"}
        call("POST", f"{url}/auth/register", user, network)
        proof = self.returned(url, {"login_hint": user["email"]})
        answer = requests.post(f"{url}/auth/federated/exchange", json=proof, headers=network, timeout=10)
        code = mailed(url, user["email"], r"(?s)provider.*?^([0-9]{8})$")
        return {"flow": answer.json()["error"]["details"]["flow"], "code": code}

    def id_token(self, url):
        """The flow of an app, and the token that it gets from the provider for the nonce."""
        begun = call("POST", f"{url}/auth/federated/google", {"native": True}, headers={})
        asked = {"client_id": AT_PROVIDER, "response_type": "code", "scope": "openid email"}
        asked |= {"redirect_uri": RETURN_URL, "nonce": begun["nonce"]}
        query = authorized(requests.Request("GET", f"{ISSUER}/authorize", params=asked).prepare().url)
        form = {"grant_type": "authorization_code", "code": query["code"], "client_id": AT_PROVIDER, "redirect_uri": RETURN_URL}
        return {"flow": begun["flow"], "id_token": requests.post(f"{ISSUER}/token", data=form, timeout=10).json()["id_token"]}

    def identity(self, url):
        """A new identity of the session's user."""
        headers = self.current(url)["headers"]
        proof = self.returned(url, {"link": True}, headers)
        return call("POST", f"{url}/auth/federated/exchange", proof, headers)["id"]

    def grant(self, url, user, role, university=None):
        """Grants a user a role; without effect if the user has it."""
        university = university or self.of(url)["university"]
        body = {"user_id": user, "role": role}
        answer = requests.post(f"{url}/universities/{university}/roles", json=body, headers=ADMIN, timeout=10)
        return answer.json().get("id")

    def enable_to_enroll(self, url, course):
        """Makes the session's user a student where the course is."""
        answer = requests.get(f"{url}/courses/{course}", headers=ADMIN, timeout=10)
        if answer.status_code == 200:
            self.grant(url, self.current(url)["user"], "STUDENT", answer.json()["university_id"])

    def forget(self):
        """Forgets the resources after a deletion."""
        self.things = {}
