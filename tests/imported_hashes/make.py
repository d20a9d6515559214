# Makes python.json anew: hashes of the libraries in requirements.txt, with fixed salts, so that every run gives the same.
#
#   python3 -m venv /tmp/hashes && /tmp/hashes/bin/pip install -r requirements.txt && /tmp/hashes/bin/python make.py
#
# Most hashes are cheap, because the domain tests verify them without optimisation. One hash of each function costs more.
# NFKC changes the password TYPED, and LONG has more than the 72 bytes that bcrypt hashes.
import base64
import hashlib
import importlib.metadata
import json
import pathlib

import argon2.low_level
import bcrypt
import django.conf
import passlib.hash
import werkzeug.security

django.conf.settings.configure()
import django.contrib.auth.hashers as hashers  # noqa: E402

PLAIN = "correct horse battery staple"
TYPED = "\ufb01ance\u0301 \u2116\uff11"
LONG = "0123456789" * 8
LETTERS = "ABCDEFGHIJKLMNOPQRSTUu"
BYTES = b"sixteen of bytes"
vectors = []


def add(made_by, password, text):
    vectors.append({"made_by": made_by, "password": password, "hash": text})


def named(package):
    return f"{package} {importlib.metadata.version(package)}"


def of_bcrypt():
    made_by = named("bcrypt")
    for letters in ("2a", "2b"):
        for password in (PLAIN, TYPED, LONG, LONG[:72], LONG[:71]):
            add(made_by, password, bcrypt.hashpw(password.encode(), f"${letters}$04${LETTERS}".encode()).decode())
    add(made_by, PLAIN, bcrypt.hashpw(PLAIN.encode(), f"$2b$08${LETTERS}".encode()).decode())


def of_passlib():
    made_by = named("passlib")
    for password in (PLAIN, TYPED, LONG):
        add(made_by, password, passlib.hash.bcrypt.using(rounds=4, salt=LETTERS, ident="2y").hash(password))
        for version, ident in ((1, "2a"), (2, "2b")):
            kind = passlib.hash.bcrypt_sha256.using(rounds=4, salt=LETTERS, version=version, ident=ident)
            add(made_by, password, kind.hash(password))
        for kind in (passlib.hash.pbkdf2_sha1, passlib.hash.pbkdf2_sha256, passlib.hash.pbkdf2_sha512):
            # This salt has both letters that the usual alphabets of base64 differ in.
            add(made_by, password, kind.using(rounds=3, salt=b"\xfb\xef\xbe\xff\xff\xffsalt").hash(password))
        add(made_by, password, passlib.hash.scrypt.using(rounds=4, block_size=2, parallelism=3, salt=BYTES).hash(password))
    for kind in (passlib.hash.pbkdf2_sha1, passlib.hash.pbkdf2_sha256, passlib.hash.pbkdf2_sha512):
        add(made_by, PLAIN, kind.using(rounds=10_000, salt=BYTES).hash(PLAIN))
    add(made_by, PLAIN, passlib.hash.scrypt.using(rounds=10, block_size=8, parallelism=1, salt=BYTES).hash(PLAIN))


def of_django():
    made_by = named("Django")
    cheap_argon2 = type("Cheap", (hashers.Argon2PasswordHasher,), {"time_cost": 2, "memory_cost": 64, "parallelism": 8})
    for password in (PLAIN, TYPED, LONG):
        add(made_by, password, hashers.PBKDF2PasswordHasher().encode(password, LETTERS, 3))
        add(made_by, password, hashers.PBKDF2SHA1PasswordHasher().encode(password, LETTERS, 3))
        add(made_by, password, hashers.BCryptSHA256PasswordHasher().encode(password, f"$2b$04${LETTERS}".encode()))
        add(made_by, password, hashers.BCryptPasswordHasher().encode(password, f"$2b$04${LETTERS}".encode()))
        add(made_by, password, hashers.ScryptPasswordHasher().encode(password, LETTERS, 16, 2, 5))
        add(made_by, password, cheap_argon2().encode(password, LETTERS))
    add(made_by, PLAIN, hashers.PBKDF2PasswordHasher().encode(PLAIN, LETTERS, 20_000))


def of_werkzeug():
    made_by = named("Werkzeug")
    # Its salt is random, so the part of the library that takes one is called.
    for password in (PLAIN, TYPED, LONG):
        for method in ("pbkdf2:sha1:3", "pbkdf2:sha256:3", "pbkdf2:sha512:3", "scrypt:16:2:3"):
            text, said = werkzeug.security._hash_internal(method, "saltSALTsaltSALT", password)
            add(made_by, password, f"{said}$saltSALTsaltSALT${text}")
    text, said = werkzeug.security._hash_internal("scrypt:1024:8:1", "saltSALTsaltSALT", PLAIN)
    add(made_by, PLAIN, f"{said}$saltSALTsaltSALT${text}")


def of_argon2():
    made_by = named("argon2-cffi")
    for password in (PLAIN, TYPED, LONG):
        for kind in (argon2.low_level.Type.D, argon2.low_level.Type.I, argon2.low_level.Type.ID):
            for version in (16, 19):
                text = argon2.low_level.hash_secret(password.encode(), BYTES, 2, 64, 4, 24, kind, version)
                add(made_by, password, text.decode())
    # The first version had no version in its text.
    text = argon2.low_level.hash_secret(PLAIN.encode(), BYTES, 3, 16, 1, 16, argon2.low_level.Type.I, 16)
    add(made_by, PLAIN, text.decode().replace("v=16$", ""))
    for memory in (4096, 65536):
        text = argon2.low_level.hash_secret(PLAIN.encode(), BYTES, 1, memory, 1, 32, argon2.low_level.Type.ID, 19)
        add(made_by, PLAIN, text.decode())


def of_keycloak():
    # Keycloak stores JSON. Its import writes a PHC string; old versions derive 64 bytes whatever the digest.
    for name, digest in (("pbkdf2-sha256", "sha256"), ("pbkdf2-sha512", "sha512"), ("pbkdf2", "sha1")):
        for password in (PLAIN, TYPED):
            key = hashlib.pbkdf2_hmac(digest, password.encode(), BYTES, 3, 64)
            salt, key = (base64.b64encode(part).decode().rstrip("=") for part in (BYTES, key))
            add("hashlib, as Keycloak", password, f"${name}$i=3,l=64${salt}${key}")


def of_phc_strings():
    # As the npm package @phc/pbkdf2 writes them, without the length.
    for name, digest in (("pbkdf2-sha1", "sha1"), ("pbkdf2-sha256", "sha256"), ("pbkdf2-sha512", "sha512")):
        key = hashlib.pbkdf2_hmac(digest, PLAIN.encode(), BYTES, 3)
        salt, key = (base64.b64encode(part).decode().rstrip("=") for part in (BYTES, key))
        add("hashlib, as @phc/pbkdf2", PLAIN, f"${name}$i=3${salt}${key}")


for make in (of_bcrypt, of_passlib, of_django, of_werkzeug, of_argon2, of_keycloak, of_phc_strings):
    make()
lines = ",\n".join(json.dumps(vector) for vector in vectors)
pathlib.Path(__file__).with_name("python.json").write_text(f"[\n{lines}\n]\n")
