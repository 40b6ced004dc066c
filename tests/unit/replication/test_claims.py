"""Claims to keys: one holder, for a while."""

from replication import claims as module
from replication.claims import CLAIM_SECONDS, Claims


def test_a_key_that_is_held_is_not_granted_to_others():
    claims = Claims()
    assert claims.grant("b", "k", "one", 0.0)
    assert not claims.grant("b", "k", "two", 1.0)
    assert claims.grant("b", "k", "one", 1.0)
    assert claims.grant("b", "other", "two", 1.0)


def test_a_claim_ends_by_itself_and_by_its_holder_only():
    claims = Claims()
    claims.grant("b", "k", "one", 0.0)
    claims.release("b", "k", "two")
    assert not claims.grant("b", "k", "two", CLAIM_SECONDS - 0.1)
    assert claims.grant("b", "k", "two", CLAIM_SECONDS + 0.1)
    claims.release("b", "k", "two")
    assert claims.grant("b", "k", "three", CLAIM_SECONDS + 0.2)


def test_a_flood_of_claims_is_refused_and_then_forgotten(monkeypatch):
    monkeypatch.setattr(module, "CLAIMS_MAX", 3)
    claims = Claims()
    assert [claims.grant("b", f"k{i}", "one", 0.0) for i in range(4)] == [True, True, True, False]
    assert claims.grant("b", "k9", "one", CLAIM_SECONDS + 1)
