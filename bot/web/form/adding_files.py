"""The page of photographs and files: each is looked at, kept with the draft, and can be taken out again."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from bot.web.context import the_app, utc_now
from bot.web.form.files import Kind, kind_of, safe_name
from bot.web.form.showing import question_page
from bot.web.form.visit import draft_id, kept_since, load_draft, texts
from storage.drafts import Draft, add_file, remove_file, save_answers
from triage.errors import BadInput

MEGABYTE = 1_000_000


def change_files(draft: Draft | None) -> ResponseReturnValue | None:
    """Add or remove files and show the page again; None when the person goes on to the next question."""
    wish, _, file_id = request.form.get("do", "").partition(":")
    if wish == "remove":
        return _remove(file_id)
    sent = [file for file in request.files.getlist("files") if file.filename]
    if not sent:
        # Enter in the page presses "add" without a file; going on without one is the other button.
        return _show(draft, texts()["files"]["error_none"]) if wish == "add" else None
    try:
        _keep(_checked(sent, draft))
    except BadInput as refusal:
        return _show(draft, str(refusal))
    # Files chosen but never added, before pressing Continue, are taken as meant.
    return question_page("files", {}, draft=load_draft()) if wish == "add" else None


def _show(draft: Draft | None, error: str) -> ResponseReturnValue:
    return question_page("files", {}, draft=draft, errors={"files": error}, code=422)


def _remove(file_id: str) -> ResponseReturnValue:
    with the_app().database.write() as session:
        remove_file(session, draft_id(), file_id)
    return question_page("files", {}, draft=load_draft())


def _checked(sent: list[FileStorage], draft: Draft | None) -> list[tuple[str, Kind, bytes]]:
    """The files with names that are safe; BadInput for the first that cannot be taken."""
    settings, words = the_app().settings, texts()["files"]
    if len(sent) + len(draft.files if draft else ()) > settings.form_most_files:
        raise BadInput(words["error_many"])
    checked = [_one(file, settings.form_file_megabytes * MEGABYTE) for file in sent]
    total = sum(len(content) for _, _, content in checked) + (draft.file_bytes if draft else 0)
    if total > settings.form_files_megabytes * MEGABYTE:
        raise BadInput(words["error_total"])
    return checked


def _one(file: FileStorage, most_bytes: int) -> tuple[str, Kind, bytes]:
    words, name = texts()["files"], (file.filename or "")[:100]
    content = file.stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise BadInput(words["error_large"].format(name=name))
    if not content:
        raise BadInput(words["error_empty"].format(name=name))
    kind = kind_of(content)
    if kind is None:
        raise BadInput(words["error_kind"].format(name=name))
    return safe_name(name, kind), kind, content


def _keep(files: list[tuple[str, Kind, bytes]]) -> None:
    app, now = the_app(), utc_now()
    with app.database.write() as session:
        save_answers(session, app.keys, draft_id(), {}, now=now, since=kept_since(now))
        for name, kind, content in files:
            add_file(
                session, app.keys, draft_id(), name=name, content_type=kind.content_type, content=content
            )
