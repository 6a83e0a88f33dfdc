"""The register of officers: who may answer what is asked of people of a State. Signed by its registrars.

Pure: time is an argument, and records are bytes. `sharing.kafka.officer_topic` reads and writes them.

- `entry`: what the register says about one officer.
- `record`: an entry as its topic carries it: with its signatures, and the grant that it rests on.
- `verification`: whether enough registrars have signed an entry.
- `register`: the entries in force, from the records of the topic in their order.
- `changes`: what registrars make: new entries, changed ones, longer ones, revocations.
"""
