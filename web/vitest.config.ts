import { defineConfig } from "vitest/config";

// West of Greenwich, where a date read as UTC midnight shows the day before.
process.env["TZ"] = "America/Los_Angeles";

export default defineConfig({ test: { include: ["test/unit/*.test.ts"] } });
