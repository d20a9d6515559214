# A whole round with the Python client generated from the description. `python client.py <origin>`; exits
# with 0 if all went as described.
import sys

from generated.python_client import AuthenticatedClient, Client
from generated.python_client.api.auth import logout, refresh, register
from generated.python_client.api.users import get_current_user
from generated.python_client.models import (
    Error,
    ErrorCode,
    Message,
    RefreshTokenRequest,
    RegisteredUser,
    RegisterRequest,
    TokenPair,
    User,
)


def of(kind, answer):
    """The answer, if it is of this kind."""
    assert isinstance(answer, kind), answer
    return answer


def main(origin):
    api = Client(base_url=origin)

    def me(token):
        return get_current_user.sync_detailed(client=AuthenticatedClient(base_url=origin, token=token))

    body = RegisterRequest(email="python@example.com", password="correct horse battery staple", full_name="Ada")
    registered = of(RegisteredUser, register.sync(client=api, body=body))
    assert registered.email == body.email

    user = of(User, me(registered.access_token).parsed)
    assert (user.id, user.full_name) == (registered.id, "Ada")

    body = RefreshTokenRequest(refresh_token=registered.refresh_token)
    pair = of(TokenPair, refresh.sync(client=api, body=body))
    assert pair.refresh_token != registered.refresh_token

    of(Message, logout.sync(client=api, body=RefreshTokenRequest(refresh_token=pair.refresh_token)))

    refused = me(pair.access_token)
    assert refused.status_code == 401
    assert of(Error, refused.parsed).error.code == ErrorCode.AUTH_TOKEN_REVOKED


main(sys.argv[1])
