import { start } from "./polling.js";
start();
