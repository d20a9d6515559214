# Verifies passwords as the FastAPI service does after the change that docs/migrate.md shows for the way back. Standard input: lines
# of JSON with `hash` and `password`. Prints a list of truth values.
import json
import sys

from passlib.context import CryptContext

passwords = CryptContext(schemes=["bcrypt", "pbkdf2_sha256"], deprecated="auto")
pairs = [json.loads(line) for line in sys.stdin]
print(json.dumps([passwords.verify(pair["password"], pair["hash"]) for pair in pairs]))
