// Every page works without this: it starts the optional behaviour of the GOV.UK components.
import { initAll } from "./vendor/govuk-frontend.min.js";

initAll();
