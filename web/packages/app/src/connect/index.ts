import "../shared/tokens.css";
import "./postern-connect.ts";
