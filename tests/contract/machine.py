# A backend that uses Authlib: discovery, a token of its own, introspection and revocation of a user's session.
# `python machine.py <origin> <public URL> <client id> <key>`; exits with 0 if all went as described.
import sys

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import KeySet

USER = {"email": "machine@example.com", "password": "correct horse battery staple"}


def main(origin, public_url, client_id, key):
    def local(url):
        """The service answers at the origin of the test, and names its public URL."""
        return url.replace(public_url, origin)

    metadata = requests.get(f"{origin}/.well-known/oauth-authorization-server", timeout=10).json()
    # Without an authorization endpoint the list is empty, which Authlib takes for a missing one.
    assert metadata["response_types_supported"] == []
    AuthorizationServerMetadata({**metadata, "response_types_supported": ["none"]}).validate()
    assert metadata["issuer"] == public_url

    for method in ("client_secret_basic", "client_secret_post"):
        client = OAuth2Session(client_id, key, token_endpoint_auth_method=method)
        token = client.fetch_token(local(metadata["token_endpoint"]), grant_type="client_credentials", scope="introspect")
        assert token["token_type"] == "Bearer" and token["scope"] == "introspect", token

    keys = KeySet.import_key_set(requests.get(local(metadata["jwks_uri"]), timeout=10).json())
    own = jwt.decode(token["access_token"], keys, algorithms=["EdDSA"])
    assert own.header["typ"] == "at+jwt" and own.claims["sub"] == client_id, own.claims

    user = requests.post(f"{origin}/auth/register", json=USER, timeout=10).json()
    client = OAuth2Session(client_id, key, token_endpoint_auth_method="client_secret_basic")

    def introspect(text):
        answer = client.introspect_token(local(metadata["introspection_endpoint"]), token=text)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for text in (user["access_token"], user["refresh_token"]):
        assert introspect(text)["sub"] == str(user["id"])
    assert introspect("made up") == {"active": False}

    revoked = client.revoke_token(local(metadata["revocation_endpoint"]), token=user["refresh_token"])
    assert revoked.status_code == 200, revoked.text
    assert introspect(user["access_token"]) == {"active": False}

    stranger = OAuth2Session(client_id, key[:-1] + ("1" if key.endswith("0") else "0"), token_endpoint_auth_method="client_secret_basic")
    refused = stranger.introspect_token(local(metadata["introspection_endpoint"]), token=user["access_token"])
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client"), refused.text


main(*sys.argv[1:])
