// The page /wall.

import { look, wear } from "../parts/look.ts";
import "../wall/wall.ts";

wear(look());
document.body.append(document.createElement("rig-wall"));
