"""A user with a browser, who signs in on the development pages of npm oidc-provider: only forms, no JavaScript."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

ASKED = re.compile(r"To sign in, open\n\n    (\S+)\n\nand .* code (\S+)\n")


class Form(HTMLParser):
    """The first form of a page: its address and its fields."""

    def __init__(self, page: str):
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list):
        """Reads the address of a form, and the name and value of an input."""
        found = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = found["action"]
        if tag == "input" and "name" in found:
            self.fields[found["name"]] = found.get("value") or ""


@dataclass
class Person:
    """Reads the terminal, opens the address that it shows, checks the code and signs in, or declines if `decline` is
    set. A `slow` user needs this many seconds to open the browser.
    """

    decline: bool = False
    slow: float = 0
    code: str = ""
    pages: list[str] = field(default_factory=list)

    def __call__(self, shown: str) -> bool:
        asked = ASKED.search(shown)
        if not asked:
            return False
        address, self.code = asked.groups()
        time.sleep(self.slow)
        browser = requests.Session()
        answer = browser.get(address, timeout=10)
        for _ in range(6):
            self.pages.append(answer.text)
            form = Form(answer.text)
            if form.action is None or form.fields.get("user_code") == "":
                break  # nothing more to do, or the page asks for a new code
            answer = browser.post(urljoin(answer.url, form.action), data=self.filled(form, answer.text), timeout=10)
        return True

    def filled(self, form: Form, page: str) -> dict[str, str]:
        """The fields as this user fills them in; a page that asks for confirmation must show the code of the terminal.
        """
        if "confirm" in form.fields:
            assert self.code in page
            return form.fields | ({"abort": "yes"} if self.decline else {})
        if "login" in form.fields:
            return form.fields | {"login": "alex", "password": "any"}
        return form.fields

    @property
    def end(self) -> str:
        """The last page that this user saw."""
        return self.pages[-1]
