"""Output of `keepsight bench score`."""

from typing import TYPE_CHECKING

from rich.console import Console

from keepsight.cli.output import emit

if TYPE_CHECKING:
    from keepsight.bench.scoring.score_table import ScoreTable


def emit_scores(table: "ScoreTable") -> None:
    """JSON lines of a table: each task, each group, and the overall score with the notes."""
    for row in table.rows:
        emit("score", group=row.group, task=row.task, accuracy=row.accuracy, num_questions=row.num_questions)
    for group, accuracy in table.groups.items():
        num_questions = sum(row.num_questions for row in table.of_group(group))
        emit("group", group=group, accuracy=accuracy, num_questions=num_questions)
    emit(
        "overall",
        accuracy=table.overall,
        mean_of_tasks=table.mean_of_tasks,
        num_questions=table.num_questions,
        num_skipped=table.num_skipped,
        notes=list(table.notes),
    )


def print_scores(console: Console, table: "ScoreTable") -> None:
    """Print a table with two decimals, as published scripts do: tasks, then their group, and the notes at the end."""
    averaged = "mean of tasks" if table.by_task else "all questions"
    for group, accuracy in table.groups.items():
        rows = table.of_group(group)
        for row in rows:
            console.print(f"{group:<12}{row.task:<28}{row.accuracy:8.2%}{row.num_questions:>8,}", markup=False)
        if group:
            num_questions = sum(row.num_questions for row in rows)
            console.print(f"{group:<12}{averaged:<28}{accuracy:8.2%}{num_questions:>8,}", markup=False)
    name = "overall, mean of groups" if table.by_task else "overall"
    console.print(f"{name:<40}{table.overall:8.2%}{table.num_questions:>8,}", markup=False)
    for note in table.notes:
        console.print(f"note: {note}", markup=False)
