"""Inside the judge: its chat, its replies, its controls, its agreement with people."""
