export { default } from "../../build/index.js";
