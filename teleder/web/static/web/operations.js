// The board refreshes itself; jobs and forms stay unchanged while somebody uses them.
import * as polling from "./polling.js";

polling.start();
