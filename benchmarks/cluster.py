"""A job on many computers, before there are any: a simulation with slow and failing ones, and what a large job costs.

The rules are those of ``sefa_plugin.batch``: shards in the order of the list, each after the plan of its network;
claims, or fixed shares. ``tests/hard/test_cluster_simulation.py`` holds it against processes that claim real shards.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sefa_plugin.batch.running import WAIT
from sefa_plugin.system.claims import STALE


@dataclass(frozen=True)
class Computers:
    """Who works.

    Attributes:
        count: how many.
        slow, slowness: the share of slow ones, and how many times longer they take.
        life: mean seconds until one fails; 0: none does.
        back: seconds until it has started again.
        notice: seconds until its shard is anybody's.
        overhead: seconds of a shard beside its pictures.
        shares: fixed shares instead of claims; who fails goes on with its own.
    """

    count: int
    slow: float = 0.0
    slowness: float = 3.0
    life: float = 0.0
    back: float = 60.0
    notice: float = STALE
    overhead: float = 0.0
    shares: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        seconds: until all shards are made.
        lost: seconds of work on shards that were begun and lost.
        failures: how many times a computer failed.
        efficiency: the work by the seconds of all computers.
    """

    seconds: float
    lost: float
    failures: int
    efficiency: float


def simulate(seconds: Sequence[float], plans: Sequence[int], who: Computers, seed: int = 0) -> Outcome:
    """Make shards of some seconds each.

    Args:
        seconds: on a computer that is not slow.
        plans: for each shard the place of the one that it follows; its own place where it follows none.
        who: the computers.
        seed: of slow ones and failures.
    """
    draw, total = random.Random(seed), len(seconds)
    speeds = [who.slowness if place < who.slow * who.count else 1.0 for place in range(who.count)]
    draw.shuffle(speeds)
    free: dict[int, list[int]] = defaultdict(list)  # by share, shards that may be begun
    later: dict[int, list[tuple[int, int]]] = defaultdict(list)  # by plan, shards that wait for it
    held: list[tuple[float, int, int]] = []  # claims of the failed: when they end
    whole, before = sum(seconds), 0.0
    for shard in range(total):
        share = int((before + seconds[shard] / 2) / whole * who.count) if who.shares else 0
        before += seconds[shard]
        if plans[shard] == shard:
            free[share].append(shard)
        else:
            later[plans[shard]].append((share, shard))
    events: list[tuple[float, int, int, int]] = [(0.0, place, -1, 0) for place in range(who.count)]
    now, done, lost, failures = 0.0, 0, 0.0, 0
    while done < total:
        now, place, made, _ = heapq.heappop(events)
        if made >= 0:
            done += 1
            for share, shard in later.pop(made, []):
                heapq.heappush(free[share], shard)
        while held and held[0][0] <= now:
            _, share, shard = heapq.heappop(held)
            heapq.heappush(free[share], shard)
        own = place if who.shares else 0
        if not free[own]:
            heapq.heappush(events, (now + WAIT, place, -1, 0))
            continue
        shard = heapq.heappop(free[own])
        length = who.overhead + seconds[shard] * speeds[place]
        life = draw.expovariate(1 / who.life) if who.life else float("inf")
        if life < length:
            failures, lost = failures + 1, lost + life
            heapq.heappush(held, (now + life + (who.back if who.shares else who.notice), own, shard))
            heapq.heappush(events, (now + life + who.back, place, -1, 0))
        else:
            heapq.heappush(events, (now + length, place, shard, 0))
    return Outcome(now, lost, failures, whole / (now * who.count))


def job(networks: int, shards: int, plan: float, each: float) -> tuple[list[float], list[int]]:
    """Seconds and plans of a job of equal networks."""
    seconds, plans = list[float](), list[int]()
    for _ in range(networks):
        first = len(seconds)
        seconds += [plan, *[each] * shards]
        plans += [first] * (shards + 1)
    return seconds, plans


def lines(rate: float, distances: int = 7) -> list[str]:
    """A large job in words, and simulations of a part of it.

    Args:
        rate: pictures a second of a computer.
        distances: pictures of each direction and seed.
    """
    networks, directions, seeds, cards = 10_000, 100, 1_000, 64
    pictures = networks * directions * seeds * distances
    hours = pictures / rate / cards / 3600
    shards = max(1.0, directions * seeds * distances / rate / 120)  # of a network, of two minutes each
    made = [
        f"{networks:,} networks x {directions} directions x {seeds:,} seeds x {distances} distances = "
        f"{pictures:.2g} pictures",
        f"at {rate:g} a second: {hours:,.0f} hours on {cards} computers, {hours / 24:,.1f} days",
        f"shards of two minutes: {networks * shards:,.0f}, {shards:,.1f} a network",
        f"read once, networks of 360 MB: {networks * 0.36 / 1000:.1f} TB, "
        f"{networks * 360 / hours / 3600 / cards:.2g} MB/s each",
    ]
    seconds, plans = job(64, 40, 10.0, 120.0)
    for name, slow, life in (
        ("alike", 0.0, 0.0),
        ("5 % slow", 0.05, 0.0),
        ("5 % slow, each fails daily", 0.05, 86400.0),
    ):
        for shares in (False, True):
            found = simulate(seconds, plans, Computers(cards, slow, life=life, overhead=1.0, shares=shares))
            how = "fixed shares" if shares else "claims"
            made.append(
                f"64 computers, 64 networks of 40 shards; {name}; {how}: {found.seconds / 60:.0f} minutes, "
                f"efficiency {found.efficiency:.2f}, {found.failures} failures, {found.lost:.0f} s lost"
            )
    return made
