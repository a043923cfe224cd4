"""The people directory, read once from a JSON file in the form the FINOS service reads.

PeopleJsonFilePath names another file of the same shape: an array of objects with the keys
LogonId, FullName, Email, EmployeeId, Department and, when there is one, PhotoUrl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from traderx.services.errors import Misconfigured

OWN_FILE = "people.json"
FILE_VARIABLE = "PeopleJsonFilePath"


@dataclass(frozen=True)
class Person:
    """One person of the directory."""

    logon_id: str
    full_name: str
    email: str
    employee_id: str
    department: str
    photo_url: str

    def as_answer(self) -> dict[str, str]:
        """Return the person as REST answers carry it."""
        return {
            "logonId": self.logon_id,
            "fullName": self.full_name,
            "email": self.email,
            "employeeId": self.employee_id,
            "department": self.department,
            "photoUrl": self.photo_url,
        }


def load_people(variables: Mapping[str, str]) -> list[Person]:
    """Return the people in the file's order.

    Raises: Misconfigured, naming the file, when it cannot be read.
    """
    named = variables.get(FILE_VARIABLE)
    try:
        text = Path(named).read_text("utf-8") if named else files(__package__).joinpath(OWN_FILE).read_text("utf-8")
        return [
            Person(
                logon_id=row["LogonId"],
                full_name=row["FullName"],
                email=row.get("Email", ""),
                employee_id=row["EmployeeId"],
                department=row.get("Department", ""),
                photo_url=row.get("PhotoUrl", ""),
            )
            for row in json.loads(text)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misconfigured(f"cannot read people from {named or OWN_FILE}: {error}") from error
