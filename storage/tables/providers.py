"""The register of care services."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Json, UtcDateTime


class ProviderRow(Base):
    """A registered location; `id` is the CQC location id or the council's own."""

    __tablename__ = "providers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), index=True)
    former_names: Mapped[list[str]] = mapped_column(Json)
    brand: Mapped[str] = mapped_column(String(255))
    organisation: Mapped[str] = mapped_column(String(255))
    street: Mapped[str] = mapped_column(String(255))
    town: Mapped[str] = mapped_column(String(120))
    postcode: Mapped[str] = mapped_column(String(10))
    telephone: Mapped[str] = mapped_column(String(30))
    email_domains: Mapped[list[str]] = mapped_column(Json)
    service_types: Mapped[list[str]] = mapped_column(Json)
    beds: Mapped[int | None] = mapped_column(Integer)
    rating: Mapped[str] = mapped_column(String(40))
    in_area: Mapped[bool] = mapped_column(Boolean)
    listed: Mapped[bool] = mapped_column(Boolean)
    imported_at: Mapped[datetime] = mapped_column(UtcDateTime)
