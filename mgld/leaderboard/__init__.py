"""Leaderboard submissions: made, checked, verified, recorded and handed in."""
