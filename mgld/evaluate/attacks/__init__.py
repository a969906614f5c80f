"""Attacks on judges as data, and the share of them that a judge falls for."""

from __future__ import annotations

from mgld.evaluate.attacks.attack_set import KINDS, Attack, Base, load_attacks, load_bases
from mgld.evaluate.attacks.runner import AttackReport, Raised, attack_success, constant_accuracy

__all__ = [
    "KINDS",
    "Attack",
    "AttackReport",
    "Base",
    "Raised",
    "attack_success",
    "constant_accuracy",
    "load_attacks",
    "load_bases",
]
