import "../shared/tokens.css";
import "./postern-portal.ts";
