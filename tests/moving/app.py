# Makes the database of the FastAPI service that users move from, with its own libraries: `python app.py app.db 20`.
#
# The passwords are "password of user N". Every fifth user is disabled. The hashes have the lowest cost that is usual, so that tests
# are fast.
import datetime
import sys

import sqlalchemy
from passlib.context import CryptContext
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

passwords = CryptContext(schemes=["bcrypt"], deprecated="auto", bcrypt__rounds=10)


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


path, count = sys.argv[1], int(sys.argv[2])
engine = sqlalchemy.create_engine(f"sqlite:///{path}")
Base.metadata.create_all(engine)
first = datetime.datetime(2024, 2, 29, 12, 30, 0, 123456)
with Session(engine) as session:
    for number in range(1, count + 1):
        hashed = passwords.hash(f"password of user {number}")
        at = first + datetime.timedelta(days=number)
        user = User(email=f"user{number}@example.com", hashed_password=hashed, is_active=number % 5 != 0, created_at=at)
        session.add(user)
        session.flush()
        session.add(RefreshToken(token=f"token {number}", user_id=user.id))
    session.commit()
