import { simulateDay } from "./simulation.js";

simulateDay();
