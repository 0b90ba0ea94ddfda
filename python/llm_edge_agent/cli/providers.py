"""`llm-edge-agent providers`: the kinds of provider that a configuration may name."""

import click

from llm_edge_agent.cli.options import json_option

__all__ = ["command"]


@click.command("providers", short_help="List the types of provider there are.")
@json_option
def command(*, as_json: bool) -> None:
    """List the types of provider that a configuration may name, and what each of them serves.

    Beside those built in, these are the ones that installed distributions bring; one that cannot be
    used is named on standard error.
    """
    import msgspec

    from llm_edge_agent.providers import Unusable, installed

    registry = installed()
    rows = []
    for kind in registry.names:
        try:
            spec = registry.find(kind)
        except Unusable as error:
            click.echo(f"warning: {error.message}. hint: {error.hint}", err=True)
            continue
        if spec is not None:
            origin = registry.origin(kind)
            rows.append(
                {
                    "type": kind,
                    "title": spec.title,
                    "operations": list(spec.operations),
                    "key_env": spec.key_env,
                    "verified": spec.verified,
                    "from": origin.strip("`") if origin else None,
                }
            )
    if as_json:
        click.echo(msgspec.json.encode(rows))
        return
    width = max(len(str(row["type"])) for row in rows)
    for row in rows:
        notes = [f"verified {row['verified']}"] if row["verified"] else []
        notes += [f"from {row['from']}"] if row["from"] else []
        said = f"  ({', '.join(notes)})" if notes else ""
        click.echo(f"{row['type']:<{width}}  {row['title']}{said}")
