"""What the replies of a build took, and what came in them, from its ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from mgld.annotate.replies import EntitiesReply
from mgld.llm.ledger import NANO, Ledger, StoredReply
from mgld.llm.structured import read_structured
from mgld.llm.wire import read_reply
from mgld.schema import Record

AT_ONCE = 2000


class StageSpent(Record):
    """The requests of one stage: what they took altogether.

    requests = answered + unanswered. tries: how often they were sent, or meant to be. in_vain:
    tries that brought no reply; `lost` of them may have been paid all the same, at most `lost_usd`.
    put_aside: replies that were asked for once more; their tokens and dollars count. batched:
    replies of the Batch API. models: as the endpoint named them -> replies. seconds: mean of the
    online replies, None where there are none.
    """

    stage: str
    requests: int
    answered: int
    unanswered: int
    tries: int
    in_vain: int
    lost: int
    lost_usd: float
    put_aside: int
    batched: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    usd: float
    seconds: float | None
    models: dict[str, int]

    @property
    def priced(self) -> bool:
        """Whether the dollars say anything: a model without a known price costs 0 in a ledger."""
        return self.usd > 0 or not self.input_tokens + self.output_tokens


class CameOutside(Record):
    """Replies whose label was not in the list as it came, and what became of their records.

    replies = repaired + not_ok. labels: the label as it came -> replies, the most frequent first.
    """

    replies: int
    repaired: int
    not_ok: int
    labels: dict[str, int]


def stage_spent(ledger: Ledger, stage: str, keys: Collection[str]) -> StageSpent:
    """What the requests with these `keys` took. Everything counts that `ledger` has of them."""
    wanted = set(keys)
    counts: Counter[str] = Counter()
    usd = lost_usd = seconds = 0.0
    models: Counter[str] = Counter()
    for key, current, via, model, fresh, cached, out, cost, took in ledger.rows(
        "SELECT key, current, via, r.model, input_tokens, cached_tokens, output_tokens, cost,"
        " seconds FROM replies r JOIN requests USING (key) WHERE purpose = ?",
        (stage,),
    ):
        if key not in wanted:
            continue
        counts["answered"] += current
        counts["put_aside"] += not current
        counts["batched"] += via == "batch"
        counts["input_tokens"] += fresh
        counts["cached_tokens"] += cached
        counts["output_tokens"] += out
        usd += cost / NANO
        models[model] += 1
        if via == "online":
            counts["online"] += 1
            seconds += took
    for key, tries, in_vain, lost, reserved in ledger.rows(
        "SELECT key, count(*), sum(ended IS NOT NULL AND outcome != 'reply'),"
        " sum(outcome LIKE 'lost%'), sum(iif(outcome LIKE 'lost%', reserved, 0))"
        " FROM attempts JOIN requests USING (key) WHERE purpose = ? GROUP BY key",
        (stage,),
    ):
        if key in wanted:
            counts["tries"] += tries
            counts["in_vain"] += in_vain
            counts["lost"] += lost
            lost_usd += reserved / NANO
    return StageSpent(
        stage=stage,
        requests=len(wanted),
        answered=counts["answered"],
        unanswered=len(wanted) - counts["answered"],
        tries=counts["tries"],
        in_vain=counts["in_vain"],
        lost=counts["lost"],
        lost_usd=lost_usd,
        put_aside=counts["put_aside"],
        batched=counts["batched"],
        input_tokens=counts["input_tokens"],
        cached_tokens=counts["cached_tokens"],
        output_tokens=counts["output_tokens"],
        usd=usd,
        seconds=seconds / counts["online"] if counts["online"] else None,
        models=dict(sorted(models.items(), key=lambda item: (-item[1], item[0]))),
    )


def came_outside(
    ledger: Ledger, ok: Mapping[str, bool], labels: Collection[str], *, most: int = 30
) -> CameOutside:
    """Labels outside the list `labels` among the replies of stage entities, as they came.

    ok: key of a request -> whether its record is "ok". Of a reply that cannot be read even without
    a list of labels, the label is not known.
    """
    allowed = set(labels)
    found: Counter[str] = Counter()
    repaired = 0
    for reply in _replies(ledger, list(ok)):
        said = read_reply(reply.api, reply.http_status, reply.raw)
        value = read_structured(EntitiesReply, said.text).value if said.status == "ok" else None
        if value is None or value.hierarchical_label is None:
            continue
        if value.hierarchical_label not in allowed:
            found[value.hierarchical_label] += 1
            repaired += ok[reply.key]
    order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return CameOutside(
        replies=found.total(),
        repaired=repaired,
        not_ok=found.total() - repaired,
        labels=dict(order[:most]),
    )


def reply_texts(ledger: Ledger, keys: Iterable[str]) -> dict[str, str]:
    """What replies say, by key, where they say anything: text, refusal or the endpoint's error."""
    texts = {}
    for reply in _replies(ledger, list(keys)):
        said = read_reply(reply.api, reply.http_status, reply.raw)
        texts[reply.key] = said.text or said.reason
    return texts


def _replies(ledger: Ledger, keys: Sequence[str]) -> Iterator[StoredReply]:
    """The replies of `keys`, few in memory at a time."""
    for first in range(0, len(keys), AT_ONCE):
        yield from ledger.replies(keys[first : first + AT_ONCE]).values()
