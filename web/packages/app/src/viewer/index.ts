import "../shared/tokens.css";
import "./postern-viewer.ts";
