# Makes the database of the FastAPI service that users move from, with its own libraries: `python app.py app.db 20`. Another script
# (large.py) makes one of thousands of users.
#
# The passwords are "password of user N". Every fifth user is disabled. The hashes have the lowest cost that is usual, so that tests
# are fast.
import datetime
import sys

import sqlalchemy
from passlib.context import CryptContext
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

FIRST = datetime.datetime(2024, 2, 29, 12, 30, 0, 123456)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    email: Mapped[str] = mapped_column(unique=True, index=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime.datetime]


class RefreshToken(Base):
    __tablename__ = "refresh_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str]
    user_id: Mapped[int] = mapped_column(sqlalchemy.ForeignKey("users.id"))


def context(rounds):
    return CryptContext(schemes=["bcrypt"], deprecated="auto", bcrypt__rounds=rounds)


def make_database(path, users):
    """Users are `(email, hashed_password, is_active)`; each registered later than the one before."""
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number, (email, hashed, is_active) in enumerate(users, 1):
            at = FIRST + datetime.timedelta(hours=number)
            user = User(email=email, hashed_password=hashed, is_active=is_active, created_at=at)
            session.add(user)
            session.flush()
            session.add(RefreshToken(token=f"token {number}", user_id=user.id))
        session.commit()


if __name__ == "__main__":
    path, count = sys.argv[1], int(sys.argv[2])
    passwords = context(10)
    numbers = range(1, count + 1)
    make_database(path, [(f"user{n}@example.com", passwords.hash(f"password of user {n}"), n % 5 != 0) for n in numbers])
