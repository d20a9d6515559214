# A resource server with FastAPI that accepts access tokens of edge-auth.
#
# `GET /profile` verifies the token offline, with the public keys of edge-auth. `POST /transfer` cannot be undone, so it
# also asks edge-auth whether the session is still alive. The functions are not `async`: reading the key set blocks, so
# FastAPI runs them in its threads.
import logging
import os
import re
from typing import Annotated, NamedTuple

import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

# The defaults are those of edge-auth under `make dev`. Deployed, the issuer is its PUBLIC_URL, and the URLs begin with it.
ISSUER = os.environ.get("ISSUER", "http://localhost:8787")
AUDIENCE = os.environ.get("AUDIENCE", "edge-auth")
JWKS_URL = os.environ.get("JWKS_URL", "http://127.0.0.1:8787/.well-known/jwks.json")
INTROSPECTION_URL = os.environ.get("INTROSPECTION_URL", "http://127.0.0.1:8787/oauth/introspect")
# The service account of this server, with the scope `introspect`.
CLIENT_ID = os.environ.get("CLIENT_ID", "")
CLIENT_KEY = os.environ.get("CLIENT_KEY", "")

ALGORITHMS = ["EdDSA", "ES256"]
TIMEOUT_SECONDS = 5
# An unknown `kid` reads the key set again, but at most once in ten seconds.
KEY_SET = jwt.PyJWKClient(JWKS_URL, lifespan=300, cooldown_duration=10, timeout=TIMEOUT_SECONDS)

log = logging.getLogger("uvicorn.error")
app = FastAPI()


class User(NamedTuple):
    id: int
    session_id: str
    token: str


def verify(token: str) -> User:
    """The user that a token names. Raises PyJWTError if the token is not an access token of a user."""
    header = jwt.get_unverified_header(token)
    # The media type may be written out (RFC 7515 section 4.1.9), and is case-insensitive.
    typ = str(header.get("typ", "")).lower().removeprefix("application/")
    if typ != "at+jwt" or "kid" not in header:
        raise jwt.InvalidTokenError("not an access token")
    claims = jwt.decode(
        token,
        # The key has its own algorithm, and PyJWT refuses a token that names another one.
        KEY_SET.get_signing_key(header["kid"]),
        algorithms=ALGORITHMS,
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=5,
        options={"require": ["exp", "iss", "aud", "sub"]},
    )
    sub, sid = claims["sub"], claims.get("sid")
    # Tokens of service accounts have the subject `sa_…` and no session.
    if claims.get("type") != "access" or not re.fullmatch("[1-9][0-9]{0,15}", sub) or not isinstance(sid, str):
        raise jwt.InvalidTokenError("not an access token of a user")
    return User(int(sub), sid, token)


def unauthorized(challenge: str) -> HTTPException:
    """RFC 6750 section 3: without a token, the challenge names no error."""
    return HTTPException(401, "unauthorized", {"WWW-Authenticate": challenge})


def unavailable(cause: Exception) -> HTTPException:
    """The token may be good, and this server cannot know."""
    log.error("edge-auth cannot be asked: %s", cause)
    return HTTPException(503, "temporarily_unavailable", {"Retry-After": "5"})


def current_user(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> User:
    if credentials is None:
        raise unauthorized("Bearer")
    try:
        return verify(credentials.credentials)
    except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, ValueError) as error:
        raise unavailable(error) from error
    except jwt.PyJWTError as error:
        raise unauthorized('Bearer error="invalid_token"') from error


def is_active(token: str) -> bool:
    """RFC 7662: the state of the session at this moment."""
    response = httpx.post(
        INTROSPECTION_URL, data={"token": token}, auth=(CLIENT_ID, CLIENT_KEY), timeout=TIMEOUT_SECONDS
    )
    response.raise_for_status()
    answer = response.json()
    return isinstance(answer, dict) and answer.get("active") is True


def user_of_live_session(user: Annotated[User, Depends(current_user)]) -> User:
    """Without an answer of edge-auth the request is refused."""
    try:
        active = is_active(user.token)
    except (httpx.HTTPError, ValueError) as error:
        raise unavailable(error) from error
    if not active:
        raise unauthorized('Bearer error="invalid_token"')
    return user


@app.get("/profile")
def profile(user: Annotated[User, Depends(current_user)]) -> dict:
    return {"user_id": user.id, "session_id": user.session_id}


@app.post("/transfer")
def transfer(user: Annotated[User, Depends(user_of_live_session)]) -> dict:
    return {"user_id": user.id, "transferred": True}
