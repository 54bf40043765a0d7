"""Confirmation before something is deleted or costs money."""

import click

from mnist_tracking.cli.output import echo

__all__ = ["confirm", "confirm_cost", "dry_run_option", "yes_option"]

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


def confirm_cost(action: str, *, most: str = "", yes: bool) -> None:
    """
    Show what costs money on AWS, and ask for confirmation, unless it was given already.

    Args:
        action: What would be done.
        most: What it costs at most, if that is known.
        yes: Whether confirmation was given.

    Raises:
        click.exceptions.Exit: With status 1, if the answer is no.
        click.UsageError: If standard input is closed or empty.
    """
    told = f"{action}, which costs money{f': at most {most}' if most else ''}."
    if yes:
        echo(told, err=True)
    confirm(f"{told} Continue?", yes=yes)


def confirm(question: str, *, yes: bool) -> None:
    """
    Ask for confirmation on standard error, unless it was given already.

    Raises:
        click.exceptions.Exit: With status 1, if the answer is no.
        click.UsageError: If standard input is closed or empty.
    """
    try:
        agreed = yes or click.confirm(question, err=True)
    except click.Abort as stop:
        if isinstance(stop.__context__, EOFError):
            echo(err=True)  # the question's line ends
            raise click.UsageError(
                "Confirmation needed, but stdin is not a terminal. Pass --yes, or --dry-run to see what would be done."
            ) from None
        raise
    if not agreed:
        echo("Nothing was done.", err=True)
        raise click.exceptions.Exit(1)
