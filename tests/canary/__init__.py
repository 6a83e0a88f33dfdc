"""A value planted in an indicator appears nowhere but where content belongs, whatever goes wrong."""
