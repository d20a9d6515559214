# Verifies passwords by the function that docs/migrate.md shows for the way back to the FastAPI service. Standard input: lines of
# JSON with `hash` and `password`. Prints a list of truth values.
import json
import pathlib
import re
import sys

document = pathlib.Path(__file__).parents[2] / "docs/migrate.md"
(snippet,) = re.findall(r"```python\n(.*?)```", document.read_text(), re.S)
exec(compile(snippet, str(document), "exec"))

pairs = [json.loads(line) for line in sys.stdin]
print(json.dumps([verify_password(pair["password"], pair["hash"]) for pair in pairs]))
