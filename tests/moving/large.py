# Makes the database of a FastAPI service with many users: `python large.py app.db 10000 200`. The first 200 are a sample with
# passwords of many kinds, half of them with bcrypt's cost of 10 and half with 12, the usual ones; it is printed as JSON. The
# others only add to the number: their hashes have the lowest cost that an import admits, and ten users share one.
import json
import multiprocessing
import sys
import unicodedata

from app import context, make_database

LETTERS = "Zoë Ångström naïve café"

# The passwords of user N, by the last digit of N.
KINDS = [
    lambda n: f"password of user {n}",
    # bcrypt reads 72 bytes.
    lambda n: f"user {n}: " + "correct horse battery staple " * 4,
    # The 72nd byte is the first half of a letter.
    lambda n: f"{n:03}: " + "пароль" * 12,
    lambda n: unicodedata.normalize("NFC", f"{LETTERS} {n}"),
    lambda n: unicodedata.normalize("NFD", f"{LETTERS} {n}"),
    # NFKC changes these.
    lambda n: f"\ufb01ne \uff30\uff21\uff33\uff33 \u2116 {n}",
    lambda n: f"👩🏽‍💻 password of user {n} 🔑",
    lambda n: f"  password of user {n}\t",
    # Shorter than a new one may be, and among the most common ones.
    lambda n: "123456",
    lambda n: f"password of user {n}",
]
DISABLED = 9


SHARING = 10


def sampled(n):
    rounds = 10 if n % 20 < 10 else 12
    kind = n % 10
    password = KINDS[kind](n)
    # Some services store addresses as they were typed.
    email = f"User.{n}@Example.com" if kind == 0 else f"user.{n}@example.com"
    hashed = context(rounds).hash(password)
    return {"email": email, "hash": hashed, "is_active": kind != DISABLED, "password": password, "kind": kind}


def cheap(n):
    return context(6).hash(f"password of user {n}")


if __name__ == "__main__":
    path, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with multiprocessing.Pool() as pool:
        sample = pool.map(sampled, range(size), chunksize=10)
        hashes = pool.map(cheap, range((count - size + SHARING - 1) // SHARING), chunksize=20)
    others = [(f"user.{n}@example.com", hashes[(n - size) // SHARING], True) for n in range(size, count)]
    make_database(path, [(user["email"], user["hash"], user["is_active"]) for user in sample] + others)
    print(json.dumps(sample))
