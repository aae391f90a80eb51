"""Studies: questions about protocols and corpora that no row of the leaderboard answers.

Each kind is a module that takes a `pianobench.plan.Plan` and stores what it finds in a folder of
its own; nothing of it is ever ranked.
"""
