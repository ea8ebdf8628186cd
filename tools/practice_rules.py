"""What every exercise has: its level and minutes, a hint, and a checker where the text says check(...)."""

import re

from companion.practice.checking import labels
from tools.reading import directives, prose

TIME = r"[^*,;]+ (?:minutes|hour|hours)"
LEVEL = re.compile(rf"^\*(Drill|Exercise|Project), {TIME}\.\*", re.M)
OPEN = re.compile(rf"^\*Open problem, {TIME}; no solution is published\.\*", re.M)
IMPORTED = "`practice.check(…)`, after `from companion import practice`"
CHECKED = re.compile(r'check\("([^"]*)"')  # the label in check("ex-04-rules", f)


def open_problem_faults(nb: dict, label: str) -> list[str]:
    """An open problem has no solution on the page; `check` knows what an answer must satisfy."""
    solved = {each["argument"] for each in directives(prose(nb), "solution-start")}
    return [f"the open problem {label} has a solution"] if label in solved else []


def practice_faults(exercise: dict) -> list[str]:
    """The faults of one exercise: its level and minutes, its hint, its check."""
    label, body = exercise["options"].get("label", ""), exercise["body"]
    is_open = label.startswith("problem-")
    form = (
        "'*Open problem, 30 minutes; no solution is published.*'"
        if is_open
        else "'*Drill, 10 minutes.*', or Exercise, or Project"
    )
    found = []
    if not (OPEN if is_open else LEVEL).search(body):
        found.append(f"{label} does not begin with its level and minutes: {form}")
    hints = directives(body, "hint")
    if not any("dropdown" in hint["options"].get("class", "") for hint in hints):
        found.append(f"{label} has no folded hint (:::{{hint}} with :class: dropdown)")
    checks = CHECKED.findall(body)
    if is_open and not checks:
        found.append(f'the open problem {label} does not say check("{label}", ...)')
    return found + [
        f"{label} asks for the check of another exercise, {other}"
        for other in checks
        if other != label
    ]


def exercises_can_be_practised(nb: dict) -> list[str]:
    """Each states its level and has a hint; the page has a drill and an open problem; checks exist."""
    exercises = directives(prose(nb), "exercise")
    found = [fault for exercise in exercises for fault in practice_faults(exercise)]
    levels = [level for each in exercises for level in LEVEL.findall(each["body"])]
    if "Drill" not in levels:
        found.append("the page has no drill: an exercise of five to ten minutes, one idea")
    if not exercises or not exercises[-1]["options"].get("label", "").startswith("problem-"):
        found.append("the last exercise is no open problem (:label: problem-NN-name)")
    if IMPORTED not in prose(nb):
        found.append(f"the exercises do not say how an answer is checked: {IMPORTED}")
    missing = sorted(set(CHECKED.findall(prose(nb))) - set(labels()))
    return found + [
        f'check("{label}", ...) has no checker in companion/practice' for label in missing
    ]
