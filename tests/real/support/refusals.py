"""How the verifiers of the token service stand-in refuse a token."""

from __future__ import annotations

from typing import Callable

import pytest

from standins.refused import Refused


def refused_by(verify: Callable, token: str, pool_provider, *texts: str):
    """Asserts that this verifier refuses the token, with these texts."""
    with pytest.raises(Refused) as refusal:
        verify(token, pool_provider)
    assert refusal.value.error == "invalid_grant"
    for text in texts:
        assert text in refusal.value.description
