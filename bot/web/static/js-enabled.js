// Says to the styles that scripts run; a file of its own, because pages allow no script inside them.
document.body.className += " js-enabled" + ("noModule" in HTMLScriptElement.prototype ? " govuk-frontend-supported" : "");
