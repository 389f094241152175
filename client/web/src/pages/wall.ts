// The page /wall.

import { dress, settings } from "../parts/settings.ts";
import { stored } from "../wall/stored.ts";
import "../wall/wall.ts";

dress({ ...settings(), theme: settings(new URLSearchParams({ theme: stored("theme", "dark") })).theme });
document.body.append(document.createElement("rig-wall"));
