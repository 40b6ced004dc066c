"""A loaded node is killed a dozen times; `make crash` does it two hundred times."""

from tests.crash.run import Campaign

KILLS = 12
SEED = 20


def test_nothing_acknowledged_is_lost_and_nothing_is_left_torn_by_kills():
    with Campaign(seed=SEED) as campaign:
        campaign.run(KILLS)
    assert campaign.kills == KILLS
    assert campaign.ledger.counts.acknowledged > KILLS
    assert campaign.ledger.counts.kept + campaign.ledger.counts.not_kept > 0, campaign.report()
