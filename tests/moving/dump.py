# Prints what `manage.py dumpdata` prints for the users of a Django project and their groups: `python dump.py`.
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
Group.objects.create(name="editors")
User.objects.create_user("ada", "ada@example.com", "password of ada", first_name="Ada", last_name="Lovelace")
User.objects.create_user("grace", "grace@example.com", None, is_active=False)
User.objects.create_user("nobody", "", "password of nobody")
call_command("dumpdata", "auth.group", "auth.user", indent=2)
