// The board refreshes by itself; jobs and forms stay as they are while one works with them.
import * as polling from "./polling.js";

polling.start();
