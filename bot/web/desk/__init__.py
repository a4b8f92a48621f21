"""The pages of the desk, one file a subject, each with its templates beside it."""

from bot.web.desk import (
    answers,
    attached,
    belonging,
    by_hand,
    concern,
    concerns,
    decisions,
    erasing,
    health,
    learning,
    login,
    providers,
    set_aside,
    spam_tray,
    themes,
)

PAGES = (
    login.page,
    concerns.page,
    concern.page,
    attached.page,
    decisions.page,
    belonging.page,
    erasing.page,
    providers.page,
    themes.page,
    set_aside.page,
    spam_tray.page,
    by_hand.page,
    answers.page,
    learning.page,
    health.page,
)
